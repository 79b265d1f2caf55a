// RUN: canonicalise
// CHECK: func.func @main
// CHECK-NEXT: nn.negate %x : tensor<2x3x4xf32>
// CHECK-NEXT: func.return
func.func @main(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %a = nn.transpose %x {permutation = [1, 2, 0]} : (tensor<2x3x4xf32>) -> tensor<3x4x2xf32>
  %b = nn.transpose %a {permutation = [2, 0, 1]} : (tensor<3x4x2xf32>) -> tensor<2x3x4xf32>
  %c = nn.negate %b : tensor<2x3x4xf32>
  func.return %c : tensor<2x3x4xf32>
}
