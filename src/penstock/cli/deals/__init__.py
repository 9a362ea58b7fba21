"""`penstock deal`: its further verbs, one file a theme."""
