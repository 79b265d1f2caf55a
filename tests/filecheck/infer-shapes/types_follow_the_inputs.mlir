// RUN: infer-shapes
// The input became 4x6; every type behind it is out of date, the function's too.
func.func @main(%x: tensor<4x6xf32>) -> tensor<2x3xf32> {
  // CHECK: nn.negate %x : tensor<4x6xf32>
  %a = "nn.negate"(%x) : (tensor<4x6xf32>) -> tensor<2x3xf32>
  // CHECK: nn.transpose %a {permutation = [1, 0]} : (tensor<4x6xf32>) -> tensor<6x4xf32>
  %t = "nn.transpose"(%a) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<3x2xf32>
  // CHECK: func.return %t : tensor<6x4xf32>
  func.return %t : tensor<3x2xf32>
}
