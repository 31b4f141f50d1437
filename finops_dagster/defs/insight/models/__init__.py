"""AI models of a day, monitored and our own: reads what is published and has them judged.

What counts as drift, unfair or good enough is responsible_ai's to say.
"""
