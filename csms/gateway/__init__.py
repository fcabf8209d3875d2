"""The only OCPP server: sockets in, vocabulary out."""
