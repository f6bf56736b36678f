"""From the models to the documents that other teams read: JSON Schemas, AsyncAPI, examples."""
