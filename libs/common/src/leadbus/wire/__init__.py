"""What a broker's bytes say (AMQP 0-9-1): frames, deliveries, contents.

aiormq does the talking; this stands between its socket and its reader, where it reads too slowly
(`leadbus.consumer.tap`) or ends the whole connection over one message (`leadbus.parked.mending`).
"""
