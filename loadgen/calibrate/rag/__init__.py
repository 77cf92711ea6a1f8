"""How far the figures of the RAG path can be trusted: the tool beside bare loops over the same objects, in turns."""
