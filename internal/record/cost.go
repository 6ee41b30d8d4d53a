package record

// Cost is one measurement of the cost suite: an object of the list in
// OUT/cost.json. It is not a record: it describes this machine at this time.
type Cost struct {
	Model            string  `json:"model"`
	Dataset          string  `json:"dataset"`
	Device           string  `json:"device"`
	Threads          int     `json:"threads"`
	CPU              string  `json:"cpu"`           // or the GPU that computed
	BatchTargets     int     `json:"batch_targets"` // targets of a training step; 0 for non-neural baselines
	TargetsPerSecond float64 `json:"targets_per_s"` // training without validation; 0 for non-neural baselines
	// The loss over all items: the speed of its matrix products, counted over the whole time
	// of the loss, and its share of the time of training; 0 for sampled losses and
	// non-neural baselines.
	LossGFLOPS float64 `json:"loss_gflops,omitempty"`
	LossShare  float64 `json:"loss_share,omitempty"`
	// ProductGFLOPS is the speed at which this machine multiplies matrices of the loss's
	// sizes, measured right after training, on all threads, in training's precision.
	ProductGFLOPS   float64 `json:"product_gflops,omitempty"`
	EvalUsersPerSec float64 `json:"eval_users_per_s"`
	Latency         Latency `json:"latency_ms"`
	Parameters      int64   `json:"parameters"`
	PeakRSSMB       float64 `json:"peak_rss_mb"`
}

// Latency holds percentiles, in milliseconds, of the time from one user's
// history to the scores of all items.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}
