"""The provider's door, compatible with OpenAI's HTTP interface."""
