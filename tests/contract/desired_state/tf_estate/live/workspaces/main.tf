variable "instance_type" {
  default = "t3.micro"
}

resource "google_compute_instance" "runner" {
  name         = "runner"
  zone         = "europe-west4-b"
  machine_type = var.instance_type
  labels = {
    tier = terraform.workspace
  }
}
