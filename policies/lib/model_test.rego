package finops.tests.model

import rego.v1

import data.finops.lib.model
import data.finops.tests.fixtures

pod(labels, annotations, container) := fixtures.of_manifest({
	"kind": "Deployment",
	"metadata": {"labels": labels, "annotations": annotations},
	"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "envoy:1"}, container]}}},
})

plain := {"name": "server", "image": "registry.example/shop:1"}

is_one(document) if model.is_model with input as document

test_by_its_own_word if {
	is_one(pod({"finops.io/model": "ranker"}, {}, plain))
	is_one(pod({}, {"finops.io/model": "ranker"}, plain))
	not is_one(pod({}, {"model": "m5"}, plain))
	not is_one(pod({}, {}, plain))
}

# Harm: a farm that renders films is told to be shadow AI, and cannot say that it is none.
test_its_own_word_counts_before_its_looks if {
	every word in ["none", "false", "No", ""] {
		not is_one(pod({}, {"finops.io/model": word}, object.union(plain, {"image": "vllm"})))
	}
	not is_one(pod({"finops.io/model": "ranker"}, {"finops.io/model": "none"}, plain))
	is_one(pod({"finops.io/model": 7}, {}, object.union(plain, {"image": "vllm"})))
}

test_by_its_kind if {
	every kind in [
		"InferenceService", "InferenceGraph", "LLMInferenceService", "SeldonDeployment", "TrainJob", "PyTorchJob",
		"TFJob", "MPIJob", "XGBoostJob", "RayService", "Model", "ModelCard", "aws_sagemaker_model",
		"aws_sagemaker_endpoint", "aws_bedrock_provisioned_model_throughput", "google_vertex_ai_endpoint",
		"azurerm_cognitive_deployment", "azurerm_machine_learning_inference_cluster",
		"AWS::SageMaker::Model", "AWS::SageMaker::Endpoint",
	] {
		is_one(fixtures.of_manifest({"kind": kind}))
	}
	not is_one(fixtures.of_manifest({"kind": "Deployment"}))
}

test_by_its_component if {
	every word in ["model", "model-server", "model-serving", "Inference", "predictor", "trainer", "training", "llm"] {
		is_one(pod({"app.kubernetes.io/component": word}, {}, plain))
	}
	not is_one(pod({"app.kubernetes.io/component": "frontend"}, {}, plain))
}

test_by_its_image if {
	every image in [
		"vllm/vllm-openai:v0.6", "ghcr.io/huggingface/text-generation-inference:2", "text-embeddings-inference",
		"nvcr.io/nvidia/tritonserver:24.01-py3", "ollama/ollama", "pytorch/torchserve-kfs:0.9", "tensorflow/serving:2",
		"x:5000/a/serving-tensorflow@sha256:00", "seldonio/mlserver-sklearn", "lmsysorg/sglang:latest",
		"ghcr.io/ggerganov/llama.cpp:server", "localai/localai", "rayproject/ray-ml:2", "seldonio/seldon-core-s2i-python3",
	] {
		is_one(pod({}, {}, {"name": "a", "image": image}))
	}
	every image in ["registry.example/ollama-docs/site:1", "mytensorflow/web", "tritonserverless", 7] {
		not is_one(pod({}, {}, {"name": "a", "image": image}))
	}
}

test_by_its_devices if {
	every device in [
		"nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb", "amd.com/gpu", "aws.amazon.com/neuroncore",
		"aws.amazon.com/neuron", "google.com/tpu", "gpu.intel.com/i915", "habana.ai/gaudi",
	] {
		every side in ["requests", "limits"] {
			is_one(pod({}, {}, {"name": "a", "resources": {side: {device: "1"}}}))
			not is_one(pod({}, {}, {"name": "a", "resources": {side: {device: 0}}}))
		}
	}
	not is_one(pod({}, {}, {"name": "a", "resources": {"limits": {"cpu": 4, "x-nvidia.com/gpu": 1}}}))
}

says(document) if model.said(["model-card"]) with input as document

test_what_it_says if {
	says(pod({}, {"finops.io/model-card": "https://cards.example/ranker"}, plain))
	says(pod({"finops.io/model_card": "ranker"}, {}, plain))
	every word in ["", " ", "TODO", "n/a", "false", "unknown"] {
		not says(pod({}, {"finops.io/model-card": word}, plain))
	}
	not says(pod({}, {}, plain))
}

card(spec) := fixtures.of_manifest({"kind": "ModelCard", "spec": spec})

test_what_its_card_says if {
	says(card({"modelCard": "x"}))
	says(card({"model_card": ["x"]}))
	says(card({"model-card": {"x": 1}}))
	every value in ["", [], {}, null, 7, "tbd"] {
		not says(card({"modelCard": value}))
	}
	not says(object.union(card({"modelCard": "x"}), {"resource": {"kind": "InferenceService"}}))
}

due(document) if model.papers_are_due with input as document

test_when_papers_are_due if {
	due(fixtures.of_manifest({"kind": "InferenceService"}))
	not due(fixtures.of_manifest({"kind": "Deployment"}))
	not due(object.union(fixtures.of_proposal({}), {"resource": {"kind": "InferenceService"}}))
	due(object.union(fixtures.of_raise("-5"), {"resource": {"kind": "InferenceService"}}))
	not due(fixtures.of_raise("-5"))
}

test_figures if {
	model.figure("drift_share") == 0.2 with input as card({"metrics": {"drift_share": 0.2}})
	model.figure("drift_share") == 0.3 with input as object.union(
		card({"metrics": {"drift_share": 0.2}}),
		{"context": {"model": {"drift_share": 0.3}}},
	)
	not model.figure("drift_share") with input as card({"metrics": {"drift_share": null}})
	not model.figure("drift_share") with input as pod({}, {}, plain)
	not model.figure("drift_share") with input as fixtures.of_manifest({
		"kind": "Deployment",
		"spec": {"metrics": {"drift_share": 0.2}},
	})
	model.figure("drift_share") == 0.3 with input as object.union(pod({}, {}, plain), {"context": {"model": {"drift_share": 0.3}}})
}
