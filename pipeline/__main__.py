"""`python -m pipeline` is `social-signals`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
