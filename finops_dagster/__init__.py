"""From cloud bill to reviewed GitOps pull request, and back to the saving it promised."""
