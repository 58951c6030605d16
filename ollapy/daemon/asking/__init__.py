"""What a request asks of its model: checked, with the model's own defaults filled in. Pure."""
