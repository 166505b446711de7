"""What an account holds, from tasks and jobs to nodes and pools, and what goes on in it."""
