;; A complete component of world `action`, but for the marked places, which a test fills in.
(component
  (import "aedile:action/types@0.1.0" (instance $types
    (type $k (variant (case "transient") (case "throttled" (option u64)) (case "conflict") (case "permanent")))
    (export "failure-kind" (type $kind (eq $k)))
    (type $f (record (field "kind" $kind) (field "title" string) (field "detail" string)))
    (export "failure" (type $failure (eq $f)))))
  (alias export $types "failure" (type $failure))
  ;;@import
  (core module $core
    (memory (export "memory") (;@pages;) 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.and (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7)) (i32.const -8))))
    (func $answer (param $text i32) (param $len i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1032) (local.get $text))
      (i32.store (i32.const 1036) (local.get $len))
      (i32.const 1024))
    (data (i32.const 2048) "\"good\"")
    (data (i32.const 2064) "\ff\fe")
    (func $run (export "run") (param $text i32) (param $len i32) (result i32)
      ;;@run
      (call $answer (i32.const 2048) (i32.const 6)))
    ;;@core
  )
  (core instance $i (instantiate $core))
  (func (export "run") (param "input" string) (result (result string (error $failure)))
    (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
)
