"""From a file of usage to accepted measurements: read, map, batch, send, remember."""
