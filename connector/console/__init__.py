"""Pages for people: a worklist, a case, what waits for a decision, and who did what; server-rendered, no build step."""
