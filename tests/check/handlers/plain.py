print("speaks for itself")
