"""Builds the images of the tests offline: no image registry is asked. See `echo.py` and `real.py`."""
