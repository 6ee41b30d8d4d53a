package cluster

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"
)

// The Job is read with Kubernetes' own types; unknown keys and values of another type are errors.
func TestKubernetesJob(t *testing.T) {
	args := []string{"/opt/famebench/.bin/bench", "-suite", "Über_big.suite", "-set", `datasets.x.name="a: b$(HOME)$$"`, "-worker"}
	var text strings.Builder
	if err := WriteKubernetes(&text, Suite{Name: "Über_big.suite", Results: "/results", Worker: args, Workers: 32}, 4); err != nil {
		t.Fatal(err)
	}
	var job batchv1.Job
	if err := yaml.UnmarshalStrict([]byte(text.String()), &job); err != nil {
		t.Fatalf("%v\n%s", err, &text)
	}
	spec := job.Spec
	pod := spec.Template.Spec
	c := pod.Containers[0]
	if job.APIVersion != batchv1.SchemeGroupVersion.String() || job.Kind != "Job" || !strings.HasPrefix(job.Name, "bench-ber-big-suite-") {
		t.Errorf("%s %s %q", job.APIVersion, job.Kind, job.Name)
	}
	if *spec.CompletionMode != batchv1.IndexedCompletion || *spec.Completions != 32 || *spec.Parallelism != 32 || pod.RestartPolicy != "Never" {
		t.Errorf("%+v", spec)
	}
	// Kubernetes replaces $$ by $, and $(HOME) by the variable's value.
	if got, want := strings.Join(c.Command, "|"), strings.ReplaceAll(strings.Join(args, "|"), "$", "$$")+"|-threads|4"; got != want {
		t.Errorf("command %q, expected %q", got, want)
	}
	if c.Resources.Requests.Cpu().String() != "4" || c.VolumeMounts[0].MountPath != "/results" || c.VolumeMounts[0].Name != pod.Volumes[0].Name || pod.Volumes[0].PersistentVolumeClaim == nil {
		t.Errorf("%+v, %+v", c, pod.Volumes)
	}
	// A pod's label has the name of the Job, and its own name adds an index and a suffix.
	if name := job.Name; len(name) > 50 {
		t.Errorf("the name %q has %d characters", name, len(name))
	}
	if err := yaml.UnmarshalStrict([]byte(strings.Replace(text.String(), "completionMode", "completionmodes", 1)), &job); err == nil {
		t.Error("an unknown key is accepted")
	}
}
