"""Whatever a test forgets, no model hub is reached: the hub's client reads its address when it is imported."""

import os

os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # where nobody listens
