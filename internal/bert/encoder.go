// Package bert turns texts into vectors with a model of the BERT family. It reads a
// folder in the Hugging Face layout, tokenises texts, computes and pools token
// states, and keeps the vectors in a cache folder.
package bert

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"famebench/internal/torch"
	"famebench/internal/torch/safetensors"
)

// Encoder is a folder in the Hugging Face layout with a model of the BERT family.
// OpenEncoder checks all of it and computes nothing. Encode divides the texts among
// a team of threads, and keeps the vectors in a cache folder.
type Encoder struct {
	Folder

	config  bertConfig
	tokens  *tokenizer
	weights map[string]safetensors.Tensor
}

// Pooling says how the hidden states of a text's tokens, including [CLS] and
// [SEP], become one vector.
type Pooling string

const (
	MeanPooling Pooling = "mean" // mean over the tokens
	CLSPooling  Pooling = "cls"  // the state of [CLS], the first token
	MaxPooling  Pooling = "max"  // maximum of every element over the tokens
)

// Poolings lists all kinds, the default first.
var Poolings = []Pooling{MeanPooling, CLSPooling, MaxPooling}

// MinTokens is the minimum length of a text: [CLS], a piece and [SEP].
const MinTokens = 3

// EncodeOptions say how texts are encoded.
type EncodeOptions struct {
	Pooling   Pooling // "" is the mean
	Normalise bool    // vectors are scaled to norm 1, except those of norm 0
	MaxTokens int     // of a text, including [CLS] and [SEP]; the rest is cut off; 0 is the encoder's MaxTokens
	Threads   int     // CPU threads; the result does not depend on them; 0 is all cores
	CacheDir  string  // where encodings are kept, created if missing; "" keeps none
	// Processor names the processor. Processors round differently, so an encoding is
	// kept for one kind of processor only.
	Processor string
	// NotKept, if not nil, is called with the reason why an encoding could not be kept in
	// CacheDir. It is then computed again the next time; nothing else is lost.
	NotKept func(error)
	// Progress, if not nil, is called after every batch with the number of texts
	// that are done. Calls come from several goroutines, one at a time.
	Progress func(done, total int)
}

// tokensPerBatch bounds a batch of several texts. Its matrices are large enough to
// keep a core busy, and its states fit into the core's cache.
const tokensPerBatch = 1024

// Encode returns the vectors of texts, [len(texts), Hidden] row-major. They do not depend
// on the number of threads, and are always computed on a CPU, so that runs on all devices
// get the same ones. An empty text has a vector too: that of [CLS] and [SEP] alone. Encode
// must not be called during another use of the tensor layer, because it would seed its
// generator.
func (e *Encoder) Encode(ctx context.Context, texts []string, o EncodeOptions) ([]float32, error) {
	o.Pooling = cmp.Or(o.Pooling, MeanPooling)
	o.MaxTokens = cmp.Or(o.MaxTokens, e.MaxTokens)
	if !slices.Contains(Poolings, o.Pooling) {
		return nil, fmt.Errorf("pretrain: pooling = %q, expected mean, cls or max", o.Pooling)
	}
	if o.MaxTokens < MinTokens || o.MaxTokens > e.MaxTokens {
		return nil, fmt.Errorf("pretrain: max_tokens = %d, expected %d to %d, which this encoder takes", o.MaxTokens, MinTokens, e.MaxTokens)
	}
	c := e.cache(texts, o)
	if out, ok := c.load(); ok {
		return out, nil
	}
	out, err := e.compute(ctx, texts, o)
	if err != nil {
		return nil, err
	}
	if err := c.store(out); err != nil && o.NotKept != nil {
		o.NotKept(err)
	}
	return out, nil
}

// Cut counts the texts of which Encode cuts the end off, because they have more than so many tokens.
func (e *Encoder) Cut(texts []string, maxTokens int) (n int, err error) {
	maxTokens = cmp.Or(maxTokens, e.MaxTokens)
	for _, text := range texts {
		ids, err := e.tokens.ids(text, maxTokens+1)
		if err != nil {
			return 0, err
		}
		if len(ids) > maxTokens {
			n++
		}
	}
	return n, nil
}

// compute is Encode without the cache.
func (e *Encoder) compute(ctx context.Context, texts []string, o EncodeOptions) ([]float32, error) {
	ids := make([][]int32, len(texts))
	for i, text := range texts {
		var err error
		if ids[i], err = e.tokens.ids(text, o.MaxTokens); err != nil {
			return nil, err
		}
	}
	out := make([]float32, len(texts)*e.Hidden)
	todo := batches(ids)
	var next atomic.Int64
	var mu sync.Mutex
	done := 0
	err := torch.RunTeam(torch.Config{Threads: o.Threads}, func(team *torch.Team) error {
		models := make([]*bert, team.Size())
		err := team.InTurn(func(k int, rt *torch.Runtime) (err error) {
			models[k], err = newBERT(rt, k == 0, e.config, e.weights)
			return err
		})
		if err != nil {
			return err
		}
		return team.Each(func(k int, rt *torch.Runtime) error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(todo) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				batch := make([][]int32, len(todo[i]))
				for j, text := range todo[i] {
					batch[j] = ids[text]
				}
				rt.Scope(func() {
					states := models[k].forward(batch, nil).HostFloats()
					for j, text := range todo[i] {
						n := len(batch[j]) * e.Hidden
						vector := out[text*e.Hidden : (text+1)*e.Hidden]
						pool(o.Pooling, states[:n], vector)
						if o.Normalise {
							normalise(vector)
						}
						states = states[n:]
					}
				})
				if o.Progress != nil {
					mu.Lock()
					done += len(batch)
					o.Progress(done, len(texts))
					mu.Unlock()
				}
			}
		})
	})
	if err != nil {
		return nil, err
	}
	for i, v := range out {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("pretrain: the encoder gives %v for text %d, %q: its weights are damaged", v, i/e.Hidden, texts[i/e.Hidden])
		}
	}
	return out, nil
}

// batches groups the indices of texts of the same length, the longest first. So
// there is no padding, and the batches depend on the texts alone.
func batches(ids [][]int32) [][]int {
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(ids[b]), len(ids[a])) })
	var out [][]int
	for from, i := 0, 0; i < len(order); i++ {
		n := len(ids[order[i]])
		if i+1 == len(order) || len(ids[order[i+1]]) != n || (i+2-from)*n > tokensPerBatch {
			out = append(out, order[from:i+1])
			from = i + 1
		}
	}
	return out
}

// pool writes the vector of a text's states [n, d] to out [d].
func pool(p Pooling, states, out []float32) {
	d := len(out)
	copy(out, states[:d])
	switch p {
	case MeanPooling:
		for j := range out {
			sum := 0.0
			for i := j; i < len(states); i += d {
				sum += float64(states[i])
			}
			out[j] = float32(sum / float64(len(states)/d))
		}
	case MaxPooling:
		for i, v := range states {
			out[i%d] = max(out[i%d], v)
		}
	}
}

// normalise divides a vector by its norm. A vector of norm 0 does not change.
func normalise(v []float32) {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	norm := max(math.Sqrt(sum), 1e-12) // as torch.nn.functional.normalize
	for i, x := range v {
		v[i] = float32(float64(x) / norm)
	}
}
