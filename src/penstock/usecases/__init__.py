"""The shell: one act a file, and the only user of the edges."""
