package cluster

import (
	_ "embed"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/template"
)

//go:embed job.yaml.tmpl
var jobText string

// noLabel is what a name in Kubernetes cannot contain.
var noLabel = regexp.MustCompile(`[^a-z0-9-]+`)

// WriteKubernetes writes a Job of Kubernetes with the workers of a suite. threads is the number of
// processors of each.
func WriteKubernetes(w io.Writer, s Suite, threads int) error {
	t := template.Must(template.New("").Funcs(template.FuncMap{"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(jobText))
	var command []string
	for _, arg := range append(s.Worker, "-threads", strconv.Itoa(threads)) {
		command = append(command, strings.ReplaceAll(arg, "$", "$$")) // Kubernetes expands $(NAME), and $$ to $
	}
	return t.Execute(w, map[string]any{
		// At most 63 characters with the index of a pod and its random suffix.
		"Job":   "bench-" + strings.Trim(shorten(noLabel.ReplaceAllString(strings.ToLower(s.Name), "-"), 30), "-") + "-" + hash(s.Worker...),
		"Suite": s.Name, "Workers": s.Workers, "Results": s.Results, "Threads": threads,
		"Command": command,
	})
}

func shorten(text string, most int) string { return text[:min(len(text), most)] }
