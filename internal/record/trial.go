package record

// Trial is a setting that a search (a suite of kind "tune") tried.
type Trial struct {
	Dataset string `json:"dataset"`
	Model   string `json:"model"`
	At      string `json:"at"`    // the settings in words; "": as configured
	Rungs   []Rung `json:"rungs"` // that it reached, in their order
	Chosen  bool   `json:"chosen,omitempty"`
}

// Rung is how far a trial was trained before the trials were compared.
type Rung struct {
	Limit  int     `json:"limit"`           // most epochs; 0: to the end
	Valid  float64 `json:"valid"`           // validation NDCG@10 that decides
	Usual  float64 `json:"usual,omitempty"` // that of the usual cases, if cold validation cases decide
	ID     string  `json:"id"`
	Epochs int     `json:"epochs"` // of the run
}

// Rung is what a run shows of a trial after at most limit epochs (0: all): its best validation
// NDCG@10, or, if byCold, that of its cold validation cases, which are ranked at its end only.
// It is false if the run has no such result. A complete run stands for a shorter one that it
// begins with.
func (r *Record) Rung(limit int, metric string, byCold bool) (Rung, bool) {
	got := Rung{Limit: limit, ID: r.ID, Epochs: r.Result.Epochs}
	if byCold {
		c := r.Result.ColdValidation
		if c == nil {
			return got, false
		}
		got.Valid, got.Usual = c.Cold[metric], c.Usual[metric]
		return got, true
	}
	if limit > 0 {
		got.Epochs = min(limit, got.Epochs)
	}
	var ok bool
	got.Valid, ok = r.Result.BestUpTo(got.Epochs, metric)
	return got, ok
}

// Rung returns the rung with a limit; nil if the trial did not reach it.
func (t Trial) Rung(limit int) *Rung {
	for i := range t.Rungs {
		if t.Rungs[i].Limit == limit {
			return &t.Rungs[i]
		}
	}
	return nil
}
