// RUN: infer-shapes
// CHECK: func.func @main(%x: tensor<4x8xf32>) -> tensor<4xi32>
func.func @main(%x: tensor<4x8xf32>) -> tensor<2xf32> {
  %a = "nn.arg_reduce"(%x) <{kind = "max", axis = 1 : i64}> : (tensor<4x8xf32>) -> tensor<2xf32>
  func.return %a : tensor<2xf32>
}
