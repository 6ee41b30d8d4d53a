package record

// Trial is a setting that a search (a suite of kind "tune") tried.
type Trial struct {
	Dataset string  `json:"dataset"`
	Model   string  `json:"model"`
	At      string  `json:"at"`    // the settings in words; "": as configured
	Short   float64 `json:"short"` // validation NDCG@10 of the short run; 0: there was none
	ShortID string  `json:"short_id,omitempty"`
	Full    float64 `json:"full"` // of the run to the end; 0: not a finalist
	FullID  string  `json:"full_id,omitempty"`
	Epochs  int     `json:"epochs,omitempty"` // of the full run
	Chosen  bool    `json:"chosen,omitempty"`
}

// HasShort reports whether the trial had a short run. It had none if all trials are
// trained to the end.
func (t Trial) HasShort() bool { return t.ShortID != "" }
