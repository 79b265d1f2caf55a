// RUN: precision{to=fp16}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}
// error: precision: 'fp16' is no precision
// error: it is one of bf16, fp32
