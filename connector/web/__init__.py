"""The HTTP doors and the pages a person looks at."""
