"""The driver of an attempt. Stays empty: data tasks load the modules beside it without torch."""
