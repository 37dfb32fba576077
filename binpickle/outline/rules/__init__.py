"""What the objects of each library look like in a stream: one module for each."""
