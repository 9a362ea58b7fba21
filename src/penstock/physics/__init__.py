"""Physics: pure float models below the wings. Nothing owned or owed is computed here."""
