"""Files from elsewhere: bytes in, commands out, and back. Nothing reads one yet."""
