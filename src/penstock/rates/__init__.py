"""Rates: calendars, day counts and present values, below the wings. Nothing owned or owed is computed here."""
