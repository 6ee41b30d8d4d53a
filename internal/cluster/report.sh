#!/bin/bash
#SBATCH --job-name={{.Job}}
#SBATCH --output="{{.Dir}}/%j-report.log"
#SBATCH --requeue
{{with .Options}}#SBATCH {{.}}
{{end}}# Renders the tables of the suite {{.Suite}} when its workers have ended.
exec {{command .Report}}
