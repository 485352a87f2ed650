"""Windows programs built with mingw, run under `lswctl launch` and compared with what Wine prints."""
