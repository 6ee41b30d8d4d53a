package registry

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"famebench/datasets"
	"famebench/internal/bert"
	"famebench/internal/record"
	"famebench/internal/torch"
	"famebench/models"
	"famebench/pretrain"
)

// itemTable is the parameter that texts initialise.
const itemTable = "item_emb.weight"

// fromTexts are the numbers of a model that reads texts, from the texts to validation: the
// last loss of each head of pre-training comes before the losses of training.
func fromTexts(t *testing.T, e Entry, s *datasets.Split) numbers {
	t.Helper()
	c := e.InitDefaults()
	c.Epochs, c.Batch = 2, 64
	in := encoded(t, c, s.Data)
	if e.FromTexts != nil {
		scorer, err := e.FromTexts(s, in.Vectors)
		if err != nil {
			t.Fatal(err)
		}
		return ranked(t, e, scorer, s)
	}
	e.Defaults = copyOf(e.Defaults)
	width := strconv.Itoa(in.Size) // of the table: a vector has no more principal components
	err := record.Settings{"hidden": json.RawMessage(width)}.Apply(e.Defaults)
	if err != nil {
		t.Fatal(err)
	}
	if in.Hidden, in.Heads, err = c.Shape(e.Defaults); err != nil {
		t.Fatal(err)
	}
	start, err := pretrain.Train(context.Background(), torch.Config{Threads: 1, Seed: 5}, in, c.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	var frozen []string
	if c.Frozen {
		frozen = []string{itemTable}
	}
	n := shortRun(t, e, s, e.Objectives[0], models.LossKinds[0], start.Table, frozen...)
	var heads []float64
	for _, h := range start.Record.Heads {
		heads = append(heads, h.Loss[len(h.Loss)-1])
	}
	n.Loss = append(heads, n.Loss...)
	return n
}

// encoded are the vectors of texts that name the labels of generated items, in words that a
// small encoder knows. One item in ten has no text.
func encoded(t *testing.T, c pretrain.InitConfig, d *datasets.Dataset) pretrain.Input {
	t.Helper()
	encoder, err := bert.OpenEncoder("../bert/testdata/variants/gelu_new")
	if err != nil {
		t.Fatal(err)
	}
	_, facets, err := c.Read(d)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields("nail cream rose hand red oil a b c e")
	texts := make([]string, d.NumItems+1)
	in := pretrain.Input{Size: encoder.Hidden, HasText: make([]bool, d.NumItems+1), Facets: facets}
	for v := 1; v <= d.NumItems; v++ {
		if v%10 == 0 {
			continue
		}
		in.HasText[v] = true
		for _, f := range facets {
			for _, label := range f.Labels[v] {
				texts[v] += words[label] + " "
			}
		}
	}
	if in.Vectors, err = encoder.Encode(t.Context(), texts, bert.EncodeOptions{Threads: 1}); err != nil {
		t.Fatal(err)
	}
	for v, has := range in.HasText {
		if !has {
			clear(in.Vectors[v*in.Size : (v+1)*in.Size])
		}
	}
	return in
}
