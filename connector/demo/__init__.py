"""What `connector demo` shows: a bundled case, and a small archive on this machine that receives the answers."""
