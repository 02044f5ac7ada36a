"""What is wrong with a deployment, found out from where it runs."""
