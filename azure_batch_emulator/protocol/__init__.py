"""The form of requests and answers: bodies, filters, conditions, files, images."""
