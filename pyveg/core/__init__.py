"""What is to be done: words, tasks and their order, with the standard library and networkx only."""
