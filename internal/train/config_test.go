package train

import (
	"math"
	"strings"
	"testing"
)

func TestConfigValidate(t *testing.T) {
	if err := Defaults().Validate(100_000); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, change := range map[string]func(*Config){
		"train.objective":     func(c *Config) { c.Objective = "suffix" },
		"train.loss":          func(c *Config) { c.Loss = "mse" },
		"train.negatives":     func(c *Config) { c.Loss, c.Negatives = "gbce", 0 },
		"train.calibration":   func(c *Config) { c.Calibration = 2 },
		"train.mask_ratio":    func(c *Config) { c.MaskRatio = 0 },
		"train.mask_last":     func(c *Config) { c.MaskLast = 1.1 },
		"train.batch_targets": func(c *Config) { c.BatchTargets = 0 },
		"train.learning_rate": func(c *Config) { c.LearningRate = math.NaN() },
		"train.stride":        func(c *Config) { c.Stride = 51 },
		"train.precision":     func(c *Config) { c.Precision = "float16" },
		"train.patience":      func(c *Config) { c.Patience = 0 },
		"train.max_len":       func(c *Config) { c.MaxLen = 0 },
	} {
		c := Defaults()
		change(&c)
		if err := c.Validate(100_000); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}
