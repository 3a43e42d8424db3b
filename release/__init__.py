"""How what people run is made from the sources: the zipapp and the Docker CLI plugin. Nothing here is shipped."""
