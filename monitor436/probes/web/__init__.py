"""What asks a web page: connections and answers, redirects, TLS."""
