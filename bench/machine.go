package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// machine describes where the measurements were made. What the system does not
// say is left empty.
type machine struct {
	CPU     string   `json:"cpu"`
	Cores   int      `json:"cores"`
	Flags   []string `json:"flags"` // vector extensions
	Memory  int64    `json:"memory_bytes"`
	System  string   `json:"system"`
	Go      string   `json:"go"`
	Commit  string   `json:"commit"`
	Virtual bool     `json:"virtual"`
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.readCPU(string(text))
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		m.Memory = parseMemory(string(text))
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", Linux " + strings.TrimSpace(string(text))
	}
	return m
}

// thisCommit is the source's version, "unknown" where git does not say.
func thisCommit(ctx context.Context) string {
	text, err := output(ctx, "", "git", "describe", "--always", "--dirty")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// thisGPU is the GPU that CUDA takes first, as nvidia-smi has it; "unknown" where
// there is no nvidia-smi.
func thisGPU(ctx context.Context) string {
	text, err := output(ctx, "", "nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return first
}

// vectorFlags are the processor flags that say which kernels can run.
var vectorFlags = []string{"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16", "amx_tile"}

// readCPU reads /proc/cpuinfo's first processor.
func (m *machine) readCPU(text string) {
	family, model := "", ""
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			m.CPU = value
		case "cpu family":
			family = value
		case "model":
			model = value
		case "flags":
			flags := strings.Fields(value)
			m.Virtual = slices.Contains(flags, "hypervisor")
			for _, flag := range vectorFlags {
				if slices.Contains(flags, flag) {
					m.Flags = append(m.Flags, flag)
				}
			}
		case "":
			if m.CPU != "" {
				m.CPU += fmt.Sprintf(" (family %s, model %s)", family, model)
				return
			}
		}
	}
}

// parseMemory reads MemTotal, which is in KiB, from /proc/meminfo.
func parseMemory(text string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				n, _ := strconv.ParseInt(fields[0], 10, 64) // 0 for what is no number
				return n << 10
			}
		}
	}
	return 0
}

func (m machine) String() string {
	text := fmt.Sprintf("%s, %d cores, %s", m.CPU, m.Cores, strings.Join(m.Flags, " "))
	if m.Virtual {
		text += ", virtual machine"
	}
	return text + fmt.Sprintf("; %s memory; %s; %s", gigabytes(m.Memory), m.System, m.Go)
}

// loadNow is the load average of the last minute, "unknown" where the system does
// not say.
func loadNow() string {
	text, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 0 {
		return fields[0]
	}
	return "unknown"
}

// processorTime is how many ticks all processors spent so far, and how many of
// them the hypervisor gave to other machines.
type processorTime struct{ total, stolen int64 }

// processorTimeNow reads the processors' time; it is zero where the system does not say.
func processorTimeNow() processorTime {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return processorTime{}
	}
	return parseStat(string(text))
}

// parseStat reads the line of all processors: user, nice, system, idle, iowait,
// irq, softirq, steal; what follows is contained in the first two.
func parseStat(text string) processorTime {
	var p processorTime
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	for i := 1; i < len(fields) && i <= 8; i++ {
		n, _ := strconv.ParseInt(fields[i], 10, 64) // 0 for what is no number
		p.total += n
		if i == 8 {
			p.stolen = n
		}
	}
	return p
}

// stealSince is the part of the processors' time since an earlier reading that
// was stolen.
func (p processorTime) stealSince(earlier processorTime) float64 {
	return float64(p.stolen-earlier.stolen) / float64(max(p.total-earlier.total, 1))
}
