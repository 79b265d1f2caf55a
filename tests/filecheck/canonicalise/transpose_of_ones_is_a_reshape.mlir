// RUN: canonicalise
// CHECK: nn.reshape %x {shape = [1, 8, 9, 1]}
// CHECK-NOT: nn.transpose
func.func @main(%x: tensor<1x1x8x9xf32>) -> tensor<1x8x9x1xf32> {
  %a = nn.transpose %x {permutation = [0, 2, 3, 1]} : (tensor<1x1x8x9xf32>) -> tensor<1x8x9x1xf32>
  func.return %a : tensor<1x8x9x1xf32>
}
