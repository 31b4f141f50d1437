terraform {
  source = "../app"
}

inputs = {
  size = "m5.4xlarge"
}
