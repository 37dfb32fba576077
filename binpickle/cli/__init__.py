"""The command `binpickle`. It uses the public interface only."""
