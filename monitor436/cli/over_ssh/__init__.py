"""What `monitor436 uptime` is made of: alone, or as sender, worker and sink."""
