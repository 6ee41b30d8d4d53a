package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"famebench/datasets"
	"famebench/internal/bert"
	"famebench/internal/plan"
	"famebench/internal/rank"
	"famebench/internal/record"
	"famebench/internal/registry"
	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
	"famebench/internal/train"
	"famebench/pretrain"
)

// itemTable is the parameter that texts initialise.
const itemTable = "item_emb.weight"

// initial is the initial item table, made from the items' texts.
type initial struct {
	config pretrain.InitConfig
	*pretrain.Result
	vectors  []float32 // [V+1, s] of the items' texts; nil if they were not read
	warnings []string  // about the metadata
}

// initialise makes the initial item table of a job's spec, before anything else uses
// the tensor layer. params are the model's settings.
func initialise(ctx context.Context, j plan.Job, params any, data *datasets.Dataset, out *emitter) (*initial, error) {
	s, err := initSettings(j)
	if err != nil {
		return nil, err
	}
	in := pretrain.Input{HasText: make([]bool, data.NumItems+1)}
	var warnings []string
	if s.Reads() {
		if in, err = encode(ctx, j, s, data, out); err != nil {
			return nil, err
		}
		if warnings, err = warnOfMetadata(s, data, in, out); err != nil {
			return nil, err
		}
	}
	if in.Hidden, in.Heads, err = s.Shape(params); err != nil {
		return nil, err
	}
	out.phase("pretrain")
	r, err := pretrain.Train(ctx, torch.Config{Threads: 1, Seed: uint64(j.Spec.Seed)}, in, s.Config, func(p pretrain.Progress) {
		out.progress(Progress{Step: (p.Epoch-1)*p.Steps + p.Step, Steps: p.Epochs * p.Steps, Loss: p.Loss})
	})
	return &initial{s, r, in.Vectors, warnings}, err
}

// initSettings are the settings of the initialisation of a job's spec.
func initSettings(j plan.Job) (pretrain.InitConfig, error) {
	if have := pretrain.Version; have != j.Spec.Init.Version {
		return pretrain.InitConfig{}, fmt.Errorf("the run has pre-training version %d, this build has %d", j.Spec.Init.Version, have)
	}
	return pretrain.FromSpec(j.Spec.Init.Settings)
}

// nonNeural makes the scorer of a non-neural baseline. The warnings are about the metadata and the
// texts, for the record, which has no counts of the latter.
func nonNeural(ctx context.Context, j plan.Job, e registry.Entry, split *datasets.Split, out *emitter) (rank.Scorer, []string, error) {
	if e.FromTexts == nil {
		s, err := e.NonNeural(split)
		return s, nil, err
	}
	settings, err := initSettings(j)
	if err != nil {
		return nil, nil, err
	}
	in, err := encode(ctx, j, settings, split.Data, out)
	if err != nil {
		return nil, nil, err
	}
	warnings, err := warnOfMetadata(settings, split.Data, in, out)
	if err != nil {
		return nil, nil, err
	}
	for v, has := range in.HasText {
		if !has {
			clear(in.Vectors[v*in.Size : (v+1)*in.Size])
		}
	}
	s, err := e.FromTexts(split, in.Vectors)
	return s, append(warnings, withoutText(in, split.Data)...), err
}

// withoutText says how many items have no text, if there are any.
func withoutText(in pretrain.Input, data *datasets.Dataset) []string {
	n := 0
	for v := 1; v <= data.NumItems; v++ {
		if !in.HasText[v] {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %d items have no text", n, data.NumItems)}
}

// warnOfMetadata warns of doubtful metadata, and of items without text or label. It
// returns only the former for the record, because the record has counts of the latter.
func warnOfMetadata(s pretrain.InitConfig, data *datasets.Dataset, in pretrain.Input, out *emitter) ([]string, error) {
	meta, err := data.Metadata()
	if err != nil {
		return nil, err
	}
	withoutLabels := 0
	for v := 1; v <= data.NumItems; v++ {
		if in.HasText[v] && s.Learns() && !slices.ContainsFunc(in.Facets, func(f datasets.Facet) bool { return len(f.Labels[v]) > 0 }) {
			withoutLabels++
		}
	}
	warnings := slices.Concat(meta.Warnings, withoutText(in, data))
	if withoutLabels > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d items have a text, but no label to learn from", withoutLabels, data.NumItems))
	}
	for _, w := range warnings {
		out.emit(Event{Kind: EventWarning, Message: w})
	}
	return slices.Clone(meta.Warnings), nil
}

// encode returns what pre-training learns from: the vectors of the items' texts, and
// labels. All must be those of the job's spec.
func encode(ctx context.Context, j plan.Job, s pretrain.InitConfig, data *datasets.Dataset, out *emitter) (in pretrain.Input, err error) {
	texts, facets, err := s.Read(data)
	if err != nil {
		return in, err
	}
	if got := bert.TextsHash(texts); got != j.Spec.Init.Texts {
		return in, environmentError{fmt.Errorf("the texts of %s are not those of the run's spec: the metadata changed", j.Spec.Dataset.Name)}
	}
	if got := s.FacetsHash(facets); got != j.Spec.Init.Facets {
		return in, environmentError{fmt.Errorf("the labels of %s are not those of the run's spec: the metadata changed", j.Spec.Dataset.Name)}
	}
	dir := j.Encoder
	if dir == "" { // a recorded run: the spec has only the fingerprint
		if dir, err = bert.DefaultEncoder(); err != nil {
			return in, err
		}
	}
	encoder, err := bert.OpenEncoder(dir)
	if err != nil {
		return in, err
	}
	if encoder.Fingerprint != j.Spec.Init.Encoder {
		return in, environmentError{fmt.Errorf("the encoder in %s: expected the run's fingerprint %.8s, got %.8s", dir, j.Spec.Init.Encoder, encoder.Fingerprint)}
	}
	pooling := bert.Pooling(s.Pooling)
	if j.Encoder == "" { // no plan has printed how texts are encoded
		o, err := encoder.Follow(bert.EncodeOptions{})
		if err != nil || o.Pooling != pooling || o.Normalise != s.Normalise {
			o = bert.EncodeOptions{Pooling: pooling, Normalise: s.Normalise}
			out.emit(Event{Kind: EventWarning, Message: fmt.Sprintf("text encoder %s: %s", dir, encoder.Describe(pooling, "the record", o))})
		}
	}
	out.phase("encode")
	most := min(s.MaxTokens, encoder.MaxTokens)
	cut, err := encoder.Cut(texts, most)
	if err != nil {
		return in, err
	}
	if cut > 0 {
		out.emit(Event{Kind: EventWarning, Message: fmt.Sprintf("%d of %d items have a text of more than %d tokens, of which the encoder does not read the end (pretrain.max_tokens)", cut, data.NumItems, most)})
	}
	vectors, err := encoder.Encode(ctx, texts, bert.EncodeOptions{
		Pooling: pooling, Normalise: s.Normalise, MaxTokens: most,
		Threads: j.Threads, CacheDir: encodingsDir(), Processor: processor(),
		NotKept:  func(err error) { out.emit(Event{Kind: EventWarning, Message: err.Error()}) },
		Progress: func(done, total int) { out.progress(Progress{Step: done, Steps: total}) },
	})
	if err != nil {
		return in, err
	}
	in = pretrain.Input{Vectors: vectors, Size: encoder.Hidden, HasText: make([]bool, len(texts)), Facets: facets}
	for v, text := range texts {
		in.HasText[v] = text != ""
	}
	return in, nil
}

// addTo adds the outcome of pre-training to a record, and stores its pictures.
func (s *initial) addTo(r *record.Record, store record.Store) (err error) {
	r.Result.Pretrain = &s.Record
	if len(s.Pictures) > 0 {
		if err := store.WritePictures(r.ID, s.Pictures); err != nil {
			return err
		}
	}
	r.Resolved["pretrain"], err = record.All(s.config)
	return err
}

// encodingsDir is where vectors of texts are kept between runs; "" if the user
// has no cache folder.
func encodingsDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "famebench", "encodings")
}

// set puts the item table into a model.
func (s *initial) set(m *train.Replicas) error {
	return changeItems(m, func([]float32) []float32 { return s.Table })
}

// scaleItems multiplies a model's item table before it is trained.
func scaleItems(m *train.Replicas, scale float64) error {
	if scale == 1 {
		return nil
	}
	return changeItems(m, func(table []float32) []float32 {
		for i := range table {
			table[i] *= float32(scale)
		}
		return table
	})
}

// changeItems replaces a model's item table by the result of change.
func changeItems(m *train.Replicas, change func([]float32) []float32) error {
	all := m.Params().Tensors()
	old, ok := all[itemTable]
	if !ok {
		return fmt.Errorf("the model has no parameter %q", itemTable)
	}
	values, err := old.Float32s()
	if err != nil {
		return err
	}
	all[itemTable] = safetensors.FromFloat32s(old.Shape, change(values))
	return m.Params().Load(all)
}
