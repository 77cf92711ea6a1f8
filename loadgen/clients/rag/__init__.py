"""Retrieval-augmented generation with LlamaIndex: documents and questions, models, the path from file to chunk."""
