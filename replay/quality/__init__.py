"""What a quality card measures: one module a concern, each fed with the rows in order of time, in bounded memory."""
