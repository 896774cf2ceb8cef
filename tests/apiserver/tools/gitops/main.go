// Command health says of objects what Argo CD, kstatus and Flux say of them, by the code of each.
//
//	health ARGOCD_CM FLUX_KUSTOMIZATION ... < objects.json > verdicts.json
//
// Argo CD's own module cannot be imported without all of Argo CD, so the few lines that run a health script for
// gitops-engine are written again here, with the same libraries open to the script.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

const scriptPrefix = "resource.customizations.health."

type verdict struct {
	ArgoCD  *health.HealthStatus `json:"argocd"`
	Kstatus status.Status        `json:"kstatus"`
	Flux    map[string]string    `json:"flux"`
}

func main() {
	verdicts, err := judge(os.Args[1], os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(verdicts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(configMap string, kustomizations []string) ([]verdict, error) {
	scripts, err := readScripts(configMap)
	if err != nil {
		return nil, err
	}
	evaluators := map[string]*cel.StatusEvaluator{}
	for _, path := range kustomizations {
		if evaluators[filepath.Base(path)], err = readExpressions(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var objects []map[string]any
	decoder := json.NewDecoder(os.Stdin)
	if err := decoder.Decode(&objects); err != nil {
		return nil, err
	}
	verdicts := []verdict{}
	for _, content := range objects {
		object, err := unstructuredOf(content)
		if err != nil {
			return nil, err
		}
		one, err := verdictOf(object, scripts, evaluators)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, one)
	}
	return verdicts, nil
}

// unstructuredOf decodes once more as Kubernetes' clients do, who tell whole numbers from others.
func unstructuredOf(content map[string]any) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	return object, object.UnmarshalJSON(text)
}

func verdictOf(object *unstructured.Unstructured, scripts scripts, evaluators map[string]*cel.StatusEvaluator) (verdict, error) {
	argocd, err := health.GetResourceHealth(object, scripts)
	if err != nil {
		return verdict{}, err
	}
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	flux := map[string]string{}
	for name, evaluator := range evaluators {
		result, err := evaluator.Evaluate(context.Background(), object)
		if err != nil {
			return verdict{}, err
		}
		flux[name] = result.Status.String()
	}
	return verdict{ArgoCD: argocd, Kstatus: computed.Status, Flux: flux}, nil
}

// scripts are Argo CD's health scripts, by group_Kind as its ConfigMap names them.
type scripts map[string]string

func readScripts(path string) (scripts, error) {
	var configMap struct{ Data map[string]string }
	if err := readYAML(path, &configMap); err != nil {
		return nil, err
	}
	found := scripts{}
	for key, script := range configMap.Data {
		if name, ok := strings.CutPrefix(key, scriptPrefix); ok {
			found[name] = script
		}
	}
	return found, nil
}

// GetResourceHealth runs the script of the object's kind. It is what gitops-engine calls for an override.
func (s scripts) GetResourceHealth(object *unstructured.Unstructured) (*health.HealthStatus, error) {
	kind := object.GroupVersionKind()
	script, ok := s[kind.Group+"_"+kind.Kind]
	if !ok {
		return nil, nil
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", valueOf(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	code, message := table.RawGetString("status"), table.RawGetString("message")
	return &health.HealthStatus{Status: health.HealthStatusCode(lua.LVAsString(code)), Message: lua.LVAsString(message)}, nil
}

func valueOf(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			table.Append(valueOf(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, valueOf(state, item))
		}
		return table
	}
	return lua.LNil
}

func readExpressions(path string) (*cel.StatusEvaluator, error) {
	var kustomization struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := readYAML(path, &kustomization); err != nil {
		return nil, err
	}
	if count := len(kustomization.Spec.HealthCheckExprs); count != 1 {
		return nil, fmt.Errorf("%d health checks, wanted 1", count)
	}
	return cel.NewStatusEvaluator(&kustomization.Spec.HealthCheckExprs[0].HealthCheckExpressions)
}

func readYAML(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}
