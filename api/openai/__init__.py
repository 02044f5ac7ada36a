"""The door for clients of OpenAI's API: its requests and replies, redten's jobs.

https://platform.openai.com/docs/api-reference
"""
